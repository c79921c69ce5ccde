// The plain story on Ethernet. Before the first packet of IP can be sent, the client has to find out the server's MAC
// address.

--link=ethernet
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

// ARP takes one round trip, so all is 20 ms later than in the plain story.
.005 state(client 3) = SYN-SENT // so the socket says; the SYN waits for an address
.025 state(server 3) = LISTEN
.035 state(server 3#1) = SYN-RECEIVED
.045 state(client 3) = ESTABLISHED
.055 state(server 3#1) = ESTABLISHED
30 state(client 3) = TIME-WAIT
