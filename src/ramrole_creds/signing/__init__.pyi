from ramrole_creds.signing.mismatch import explain_mismatch as explain_mismatch
from ramrole_creds.signing.request import Request as Request
from ramrole_creds.signing.scheme import Scheme as Scheme
from ramrole_creds.signing.schemes.acs3 import ACS3 as ACS3
from ramrole_creds.signing.schemes.fc import (
    FCV2 as FCV2,
)
from ramrole_creds.signing.schemes.fc import (
    FCV3Trigger as FCV3Trigger,
)
from ramrole_creds.signing.schemes.mns import (
    MNS as MNS,
)
from ramrole_creds.signing.schemes.mns import (
    MNSV4 as MNSV4,
)
from ramrole_creds.signing.schemes.odps import (
    ODPSV2 as ODPSV2,
)
from ramrole_creds.signing.schemes.odps import (
    ODPSV4 as ODPSV4,
)
from ramrole_creds.signing.schemes.oss_v1 import OSSV1 as OSSV1
from ramrole_creds.signing.schemes.oss_v2 import OSSV2 as OSSV2
from ramrole_creds.signing.schemes.oss_v4 import OSSV4 as OSSV4
from ramrole_creds.signing.schemes.ots import (
    OTSV2 as OTSV2,
)
from ramrole_creds.signing.schemes.ots import (
    OTSV4 as OTSV4,
)
from ramrole_creds.signing.schemes.roa import ROA as ROA
from ramrole_creds.signing.schemes.rpc import RPC as RPC
from ramrole_creds.signing.schemes.s3 import SigV4 as SigV4
from ramrole_creds.signing.schemes.s3_v1 import S3V1 as S3V1
from ramrole_creds.signing.schemes.sls import (
    SLSV1 as SLSV1,
)
from ramrole_creds.signing.schemes.sls import (
    SLSV4 as SLSV4,
)
from ramrole_creds.signing.server_time import read_server_time as read_server_time
from ramrole_creds.signing.signer import (
    PresignedUrl as PresignedUrl,
)
from ramrole_creds.signing.signer import (
    Signer as Signer,
)

__all__: list[str]
