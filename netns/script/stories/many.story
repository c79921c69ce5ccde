// A hundred programs on the client connect at one instant.

--define=BACKLOG=128

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, BACKLOG) = 0
server: repeat 100 {
    accept(3, ..., ...) = 4
    recvall(4, 5) = 5
    close(4) = 0
}

client.1-100: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client.1-100: connect(3, server:80) = 0
client.1-100: sendall(3, 5) = 5
client.1-100: recvall(3) = 0
client.1-100: close(3) = 0

// Each connection is a socket of its own on the server.
.015 info(server 3, "SYN queue") = 100
.015 state(server 3#1) = SYN-RECEIVED
.015 state(server 3#100) = SYN-RECEIVED
