"""MIT Kerberos as a SASL client (RFC 4752), token by token: the server's come in as lines of hex, the first one empty,
and the client's go out likewise, until the line "end" says that nothing is left to send.

gssapi_client.py SERVICE@HOST proof|trust
"""
import sys

import gssapi

service, proof = sys.argv[1], sys.argv[2] == "proof"
flags = [gssapi.RequirementFlag.integrity]
if proof:
    flags.append(gssapi.RequirementFlag.mutual_authentication)
context = gssapi.SecurityContext(
    name=gssapi.Name(service, gssapi.NameType.hostbased_service), flags=flags, usage="initiate")


def challenge():
    return bytes.fromhex(sys.stdin.readline().strip())


def respond(token):
    print((token or b"").hex(), flush=True)


token = challenge() or None
while not context.complete:
    respond(context.step(token))
    if not context.complete:
        token = challenge()
offer = context.unwrap(challenge())
if offer.encrypted or offer.message[:1] != b"\x01":  # Java's server says how much it takes, too
    sys.exit("offered %r" % (offer,))
respond(context.wrap(b"\x01\x00\x00\x00whoever", False).message)
if challenge() != b"":
    sys.exit("a token where none belongs")
print("end", flush=True)
