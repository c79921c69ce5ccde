// Nobody listens, and seqs drops the SYN. RFC 9293, Section 3.10.7.1: it is answered with a RST.

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = -1 ETIMEDOUT (Connection timed out)
