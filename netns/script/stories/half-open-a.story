// The server is rebooted and has forgotten the connection. The client finds out when it sends (RFC 9293, Figure 10).

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) // never returns

1 reboot server

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: 2 send(3, ..., 5, 0) = 5 // it goes into the send buffer, no more is said
client: recv(3, ..., 100, 0) = -1 ECONNRESET (Connection reset by peer)
client: close(3) = 0

// For a second the client believes in a connection that is none.
1.5 state(client 3) = ESTABLISHED
2.015 state(client 3) = ESTABLISHED
2.025 state(client 3) = CLOSED
