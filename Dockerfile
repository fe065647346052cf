# One image for web, worker and beat; the `simulator` target adds the simulated AWS.
FROM python:3.11-slim-bookworm AS portal

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    DJANGO_SETTINGS_MODULE=drportal.settings.production

WORKDIR /portal
COPY requirements.txt ./
RUN pip install --require-hashes -r requirements.txt

COPY manage.py ./
COPY drportal/ drportal/
COPY audit/ audit/
COPY protection/ protection/
COPY queries/ queries/
COPY recovery/ recovery/
COPY templates/ templates/

# Collecting static files connects to nothing; the settings only want values of the right form.
RUN SECRET_KEY=only-while-the-image-is-built-and-never-in-what-runs-from-it \
    DATABASE_URL=postgresql://build@database.invalid/build \
    REDIS_URL=redis://redis.invalid/0 \
    python manage.py collectstatic --no-input \
 && useradd --system --no-create-home --shell /usr/sbin/nologin portal

USER portal
EXPOSE 8000
CMD ["python", "manage.py", "run", "web", "--bind", "0.0.0.0:8000"]


FROM portal AS simulator
USER root
COPY requirements-dev.txt ./
RUN pip install --require-hashes -r requirements-dev.txt
USER portal
EXPOSE 5000
CMD ["python", "-m", "drportal.simulator", "--host", "0.0.0.0", "--port", "5000"]


# What `docker build` makes when no target is named.
FROM portal
