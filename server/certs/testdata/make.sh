#!/usr/bin/env bash
# Makes the stores of this directory with keytool (Java 17) and openssl (3.0). All but the keys to umlaut.* have the
# password "changeit". Of each key store, the key's certificate CN=leaf has been signed by CN=root.
set -euo pipefail
cd "$(dirname "$0")"
rm -f ./*.p12 ./*.jks ./*.pem
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C.UTF-8

# kt FILE TYPE ARGUMENTS...: keytool on a store.
kt() {
  local file=$1 type=$2 password=${PASSWORD:-changeit}
  shift 2
  keytool -J-Dfile.encoding=UTF-8 -J-Dsun.jnu.encoding=UTF-8 ${LEGACY:+-J-Dkeystore.pkcs12.legacy=true} "$@" \
    -keystore "$file" -storetype "$type" -storepass "$password" 2>/dev/null
}
pair() { kt "$1" "$2" -genkeypair -alias "$3" -dname "CN=$3" -keyalg EC -groupname secp256r1 -validity 36500 "${@:4}"; }

# sign FILE TYPE: has root sign the leaf of a store, which takes the chain over.
sign() {
  kt "$1" "$2" -certreq -alias leaf -file "$work/leaf.csr"
  PASSWORD='' LEGACY='' kt_root -gencert -alias root -infile "$work/leaf.csr" -outfile "$work/leaf.pem" -rfc -validity 36500
  cat "$work/leaf.pem" "$work/root.pem" > "$work/chain.pem"
  kt "$1" "$2" -importcert -alias leaf -file "$work/chain.pem" -noprompt
}
kt_root() { kt "$work/root" PKCS12 "$@"; }
keys() { pair "$1" "$2" leaf; sign "$1" "$2"; }
trust() { kt "$1" "$2" -importcert -alias "${3:-root}" -file "$work/root.pem" -noprompt; }

pair "$work/root" PKCS12 root -ext bc:c
kt_root -exportcert -alias root -rfc -file "$work/root.pem"

keys keytool-key.p12 PKCS12
trust keytool-trust.p12 PKCS12
trust keytool-trust.p12 PKCS12 again
LEGACY=1 keys keytool-legacy-key.p12 PKCS12
LEGACY=1 trust keytool-legacy-trust.p12 PKCS12
# Key and authorities in one, the authority first.
trust keytool-both.p12 PKCS12
keys keytool-both.p12 PKCS12
pair keytool-two-keys.p12 PKCS12 first
pair keytool-two-keys.p12 PKCS12 second
# What keytool makes of the name alone.
keytool -genkeypair -alias leaf -dname CN=leaf -keyalg EC -groupname secp256r1 -validity 36500 -keystore pkcs12.jks \
  -storepass changeit 2>/dev/null

keys keytool-key.jks JKS
trust keytool-trust.jks JKS
trust keytool-both.jks JKS
keys keytool-both.jks JKS
pair keytool-two-keys.jks JKS first
pair keytool-two-keys.jks JKS second
pair keytool-other-password.jks JKS leaf -keypass different
PASSWORD=pässwörd keys umlaut.jks JKS
# keytool does not make PKCS12 with such a password.

openssl ecparam -name prime256v1 -genkey -noout -out "$work/key.pem"
openssl req -new -key "$work/key.pem" -subj /CN=leaf -out "$work/leaf.csr"
kt_root -gencert -alias root -infile "$work/leaf.csr" -outfile "$work/leaf.pem" -rfc -validity 36500
p12() { openssl pkcs12 -export -passout pass:changeit "$@"; }
p12 -inkey "$work/key.pem" -in "$work/leaf.pem" -certfile "$work/root.pem" -out openssl-key.p12
p12 -legacy -inkey "$work/key.pem" -in "$work/leaf.pem" -certfile "$work/root.pem" -out openssl-legacy-key.p12
p12 -nokeys -in "$work/root.pem" -out openssl-trust.p12
openssl pkcs12 -export -passout pass:pässwörd -inkey "$work/key.pem" -in "$work/leaf.pem" -certfile "$work/root.pem" -out umlaut.p12

# Keys with their chain, encrypted in the ways that openssl pkcs8 has.
encrypted() {
  openssl pkcs8 -topk8 -in "$work/key.pem" -passout pass:changeit "${@:2}" | cat - "$work/leaf.pem" "$work/root.pem" > "$1"
}
encrypted encrypted.pem
encrypted encrypted-sha1.pem -v2 aes128 -v2prf hmacWithSHA1
encrypted encrypted-sha512.pem -v2 aes192 -v2prf hmacWithSHA512
encrypted encrypted-3des.pem -v1 PBE-SHA1-3DES
encrypted encrypted-scrypt.pem -scrypt
