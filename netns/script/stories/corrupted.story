// The link turns one bit of a segment's data. The checksum shows it, and nobody has to say anything.

--define=BYTES=20
--fault="corrupt client data#1 55.6" // an octet of data, whether the header has options or not

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, BYTES) = BYTES
server: recvall(4) = 0
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, BYTES) = BYTES
client: 2 close(3) = 0

// The segment has arrived at .030, and for the server it was none.
.031 info(server 3#1, "RCV.NXT") = 1
.031 state(server 3#1) = ESTABLISHED
1.9 info(server 3#1, "RCV.NXT") = 21 // sent again after 1 s at the latest (RFC 6298)
