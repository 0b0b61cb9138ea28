"""Write the broker's rights from the table of topics: python -m deploy.setup.acl > mosquitto/acl"""

import sys

from cloud.identity.rights import text

if __name__ == "__main__":
    sys.stdout.write(text())
