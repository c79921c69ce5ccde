// The plain story: connect, a few octets each way, close.

--define=BYTES=5
--define=BACKLOG=128

// The server waits for a connection, takes what comes, and sends as much back.
server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, BACKLOG) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, BYTES) = BYTES
server: sendall(4, BYTES) = BYTES
server: recvall(4) = 0 // the end of data: the client has closed
server: close(4) = 0
server: close(3) = 0

// The client connects, and closes first.
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, BYTES) = BYTES
client: recvall(3, BYTES) = BYTES
client: close(3) = 0

// The link takes 10 ms one way: the SYN arrives at .01, the SYN,ACK at .02, the ACK at .03.
.005 state(client 3) = SYN-SENT
.005 state(server 3) = LISTEN
.015 state(server 3#1) = SYN-RECEIVED // the first connection that came to descriptor 3
.015 state(server 3) = LISTEN // and goes on listening
.025 state(client 3) = ESTABLISHED
.025 state(server 3#1) = SYN-RECEIVED
.035 state(server 3#1) = ESTABLISHED

// Who closes first waits in TIME-WAIT, so that nothing old meets a later connection.
30 state(client 3) = TIME-WAIT
30 state(server 3#1) = CLOSED
