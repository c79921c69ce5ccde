// The first segment is overtaken by the two behind it. The server's program sees nothing of it.

--define=BYTES=4380
--fault="reorder client data#1 2"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = BYTES // each octet is compared with the one that was sent
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, BYTES) = BYTES
client: 1 close(3) = 0

.5 info(client 3, "SND.UNA") = 4381
30 state(client 3) = TIME-WAIT
30 state(server 3#1) = CLOSED
