#!/bin/sh
# Makes the certificates of the TLS tests anew, beside this script: needs OpenSSL 3. The keys guard nothing but tests, and
# those of the two authorities are thrown away. All are valid until 2124 but `expired`.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
rm -f ./*.pem

new_key() { # FILE
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

authority() { # NAME SUBJECT
  new_key "$work/$1-key.pem"
  openssl req -x509 -new -key "$work/$1-key.pem" -subj "/CN=$2" -days 36500 -out "$1.pem" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
  mkdir "$work/$1"
  : > "$work/$1/index.txt"
  cat > "$work/$1.cnf" <<CONFIG
[ca]
default_ca = this
[this]
database = $work/$1/index.txt
new_certs_dir = $work/$1
certificate = $1.pem
private_key = $work/$1-key.pem
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
CONFIG
}

certificate() { # NAME AUTHORITY SUBJECT USAGE NAMES END
  new_key "$1-key.pem"
  openssl req -new -key "$1-key.pem" -subj "/CN=$3" -out "$work/$1.csr"
  printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=%s\n%s\n' "$4" "${5:+subjectAltName=$5}" > "$work/$1.ext"
  openssl ca -batch -notext -config "$work/$2.cnf" -in "$work/$1.csr" -extfile "$work/$1.ext" \
    -startdate 20200101000000Z -enddate "$6" -out "$1.pem"
}

here=DNS:localhost,IP:127.0.0.1,IP:::1
authority ca 'photongate test authority'
authority other-ca 'another test authority'
certificate server ca server serverAuth "$here" 21240101000000Z
certificate renewed ca renewed serverAuth "$here" 21240101000000Z
certificate wrong-name ca other.example serverAuth DNS:other.example 21240101000000Z
certificate expired ca expired serverAuth "$here" 20200201000000Z
certificate wrong-ca other-ca stranger serverAuth "$here" 21240101000000Z
certificate client ca client clientAuth '' 21240101000000Z
certificate renewed-client ca renewed-client clientAuth '' 21240101000000Z
certificate foreign-client other-ca foreign-client clientAuth '' 21240101000000Z
new_key self-signed-key.pem
openssl req -x509 -new -key self-signed-key.pem -subj /CN=self-signed -days 36500 -out self-signed.pem \
  -addext "subjectAltName=$here" -addext basicConstraints=critical,CA:FALSE
openssl pkcs8 -topk8 -in server-key.pem -passout pass:test -out encrypted-key.pem
