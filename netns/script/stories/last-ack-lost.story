// The handshake's last ACK is lost. The client is connected, and the server does not know it yet.

--fault="drop client ACK#1"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = 0
server: close(4) = 0

// The client says nothing for three seconds. Data would bring the ACK along.
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: +3 close(3) = 0

.5 state(client 3) = ESTABLISHED
.5 state(server 3#1) = SYN-RECEIVED
.5 info(server 3, "accept queue") = 0

// The server's timer has sent the SYN,ACK again, and the client has acknowledged it again.
2 state(server 3#1) = ESTABLISHED
