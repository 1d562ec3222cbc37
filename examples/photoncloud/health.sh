#!/bin/sh
# Are all services of PhotonCloud well?
#
#   sh health.sh [URL]        URL: where all of them are served; default http://127.0.0.1:8080
#
# Prints a line for each service, and ends with 0 if all of them serve, with 1 if one does not. Needs a POSIX shell, and
# curl or wget, that of BusyBox included.

base=${1:-http://127.0.0.1:8080}
services="chainfire flaredb iam plasmavmc k8shost creditservice prismnet nightlight lightningstor fiberlb deployer"

# A service that does not serve answers 503, which both take for a failure. No time-out for wget: the proxy has one, and
# the one of some BusyBoxes crashes.
if command -v curl >/dev/null 2>&1; then
  ask() { curl -fsS --max-time 10 -o /dev/null "$1" 2>/dev/null; }
elif command -v wget >/dev/null 2>&1; then
  ask() { wget -q -O /dev/null "$1" 2>/dev/null; }
else
  echo "health.sh: needs curl or wget" >&2
  exit 2
fi

failed=0
for service in $services; do
  if ask "${base%/}/$service/health"; then
    echo "$service serves"
  else
    echo "$service does not serve"
    failed=1
  fi
done
exit "$failed"
