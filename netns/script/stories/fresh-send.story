// A socket that was never connected has nobody to send to.

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: send(3, ..., 5, 0) = -1 // an error; which one, each stack says for itself
client: 1 close(3) = 0

.5 state(client 3) = CLOSED
.5 info(client 3, "remote address") = "-" // nothing is known of a peer
