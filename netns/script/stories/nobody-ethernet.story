// On Ethernet the client connects to an address that nobody has. No SYN is ever sent: there is nobody to send it to.

--link=ethernet

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, nobody:80) = -1 EHOSTUNREACH (No route to host)
client: close(3) = 0

// Three times it asks for the address, and gives up a second after the last.
.5 state(client 3) = SYN-SENT
2.5 state(client 3) = SYN-SENT
3.5 state(client 3) = CLOSED
