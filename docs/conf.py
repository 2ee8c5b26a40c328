"""How the manual is built: `tox run -e docs`."""

import sys
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path

from sphinx.util import inspect

from ramrole_creds.credentials import hidden_property

sys.path.insert(0, str(Path(__file__).parent))  # generated.py, layout.py and reference.py

project = "ramrole-creds"
author = "the ramrole-creds developers"
version = release = installed_version("ramrole-creds")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "generated",
    "layout",
    "reference",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
# References are checked, except to types of signatures: those of other projects would need their addresses.
nitpicky = True
nitpick_ignore_regex = [(r"py:(class|exc|obj)", r".*")]
html_theme = "furo"
html_title = f"ramrole-creds {version}"
html_static_path = ["static", "pictures"]
html_css_files = ["manual.css"]
html_show_copyright = False
html_domain_indices = False
pygments_dark_style = "github-dark"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

# Docstrings write code between single backticks.
default_role = "code"
autodoc_preserve_defaults = True
# Properties that return a secret are none of Python's, so that serializers do not find them.
inspect.isproperty = lambda found: isinstance(found, (property, hidden_property))
# Signatures of the integrations are shown without the SDKs.
_SDKS = (
    "aiohttp",
    "airflow",
    "aliyun",
    "aliyunsdkcore",
    "fc2",
    "fsspec",
    "httpx",
    "lance",
    "lance_namespace",
    "mns",
    "odps",
    "opentelemetry",
    "oss2",
    "ossfs",
    "prometheus_client",
    "pyarrow",
    "pyiceberg",
    "storages",
)
autodoc_mock_imports = [name for name in _SDKS if find_spec(name) is None]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 80
autodoc_default_options = {"members": True, "undoc-members": False, "show-inheritance": True}
