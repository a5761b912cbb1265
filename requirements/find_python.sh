#!/bin/sh
# Prints the first Python that can make the environment: $1 if given, else one on the PATH from 3.11 to 3.14.
can_serve='import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))'
for python in ${1:-python3 python3.11 python3.12 python3.13 python3.14 python}; do
    if "$python" -c "$can_serve" 2>/dev/null; then
        echo "$python"
        exit 0
    fi
done
echo "Python 3.11 to 3.14 with its venv module is needed and was not found (tried: ${1:-python3, python3.11 to 3.14, python})." >&2
echo "Install it (on Debian and Ubuntu: apt install python3 python3-venv) or name one: make run PYTHON=/path/to/python3.11" >&2
exit 1
