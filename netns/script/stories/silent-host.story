// Nobody answers: every packet of the client is lost on its way.

--fault="drop client any"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0

// The SYN goes out again after 1, 2, 4, 8, … seconds, until the stack gives up.
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = -1 ETIMEDOUT (Connection timed out)
client: close(3) = 0

60 state(client 3) = SYN-SENT
60 state(server 3) = LISTEN // it never knew
