package script_test

import "testing"

func TestZZProbe(t *testing.T) {
	const cl = `
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80)
`
	for _, f := range []string{
		listening + "server: accept(3, ..., ...)\nserver.2: 1 close(3)\n",
		listening + "server: accept(3, ..., ...) = 4\nserver: recvall(4)\nserver.2: 1 close(4)\n" + cl + "client: recvall(3)\n",
		listening + "server: accept(3, ..., ...) = 4\nserver: recvall(4)\nserver.2: 1 shutdown(4, SHUT_RDWR)\n" + cl + "client: recvall(3)\nclient: sendall(3, 100)\nclient: recv(3, ..., 1, 0)\n",
		listening + "server: accept(3, ..., ...) = 4\nserver: recvall(4)\nserver: close(4)\n" + cl + "client: shutdown(3, SHUT_WR)\nclient: recvall(3)\nclient: abort(3)\n",
		listening + cl + ".015 reboot server\n",
	} {
		r := runWith(t, f, twoGVisors())
		t.Log(dumpTrace(r))
	}
}
