// The client is rebooted and connects again from the same port. The server still has the old connection (RFC 9293,
// Figure 9).

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recv(4, ..., 100, 0) = -1 ECONNRESET (Connection reset by peer)
server: close(4) = 0
server: accept(3, ..., ...) = 5
server: recvall(5) = 0
server: close(5) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:5000) = 0
client: connect(3, server:80) = 0

1 reboot client

// The same addresses and ports once more.
client: 2 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:5000) = 0
client: connect(3, server:80) = 0
client: close(3) = 0

// The server answers the SYN with the ACK of its old connection. The client knows no such connection and resets it.
1.5 state(server 3#1) = ESTABLISHED
2.015 state(server 3#1) = ESTABLISHED
2.025 state(client 3) = SYN-SENT
2.035 state(server 3#1) = CLOSED
