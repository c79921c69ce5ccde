// The window opens again, and seqs takes the ACK that says so for a duplicate. RFC 9293, Section 3.10.7.4: SND.WND is updated.

--until=60

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: setsockopt(3, SOL_SOCKET, SO_RCVBUF, [4096], 4) = 0
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: 1 recvall(4, 8000)

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 8000)

50 info(server 3#1, "receive buffer used") = 0
50 info(client 3, "send buffer used") = 2048
