from drportal.simulator.responses import DRSResponse

# FIPS, dual-stack and the European sovereign partition have hosts of their own.
url_bases = [
    r"https?://drs(-fips)?\.([^.]+\.)?(amazonaws\.com|api\.aws|api\.amazonwebservices\.eu|amazonaws\.eu)"
]

url_paths = {"{0}/.*$": DRSResponse.dispatch}
