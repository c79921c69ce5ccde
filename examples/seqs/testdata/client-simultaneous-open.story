// Two SYNs pass each other: seqs counts the peer's SYN again when it comes in the SYN,ACK, so that it waits for an octet that
// nobody has sent, and what comes is old. RFC 9293, Figure 7: both ends are in ESTABLISHED.

--until=60

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: connect(3, client:80)

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:80) = 0
client: connect(3, server:80) = 0

.5 state(client 3) = ESTABLISHED
.5 state(server 3) = SYN-RECEIVED
50 state(server 3) = SYN-RECEIVED
