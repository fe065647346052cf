"""The gateway: the only package that knows boto3. Dataclasses come out, and AwsError."""
