// A socket that was never connected has nobody to send to.

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: send(3, ..., 5, 0)
client: close(3) = 0
