// The first SYN is lost. The client's timer sends it again.

--fault="drop client SYN#1"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = 0
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: close(3) = 0

// The timer runs out after one second. All is one second late, and nothing else is different.
.5 state(client 3) = SYN-SENT
.5 info(server 3, "SYN queue") = 0
1.015 state(server 3#1) = SYN-RECEIVED
1.025 state(server 3#1) = SYN-RECEIVED
1.035 info(client 3, "SND.UNA") = 1 // the SYN, which counts as one octet, is acknowledged
