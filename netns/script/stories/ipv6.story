// The plain story between IPv6 addresses. TCP is the same; only the header before it is another.

--ipv6
--define=BYTES=5

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, BYTES) = BYTES
server: sendall(4, BYTES) = BYTES
server: recvall(4) = 0
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, BYTES) = BYTES
client: recvall(3, BYTES) = BYTES
client: close(3) = 0

.015 state(server 3#1) = SYN-RECEIVED
.025 state(client 3) = ESTABLISHED
.025 info(client 3, "remote address") = "2001:db8::2"
.025 info(client 3, "SendMSS") = 1440 // 1500 octets less 40 for IPv6 and 20 for TCP
30 state(client 3) = TIME-WAIT
