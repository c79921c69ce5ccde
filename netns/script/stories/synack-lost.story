// The first SYN,ACK is lost. Both sides wait for an answer, and both send again.

--fault="drop server SYN,ACK#1"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = 0
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: close(3) = 0

// The server has seen the SYN. The client cannot know.
.5 state(client 3) = SYN-SENT
.5 state(server 3#1) = SYN-RECEIVED
.5 info(server 3, "SYN queue") = 1
