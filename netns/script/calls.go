package script

import (
	"net/netip"
	"slices"
	"strings"

	"connectlab/netns"
)

const (
	maxLabel  = 1_000_000 // of a descriptor
	maxOctets = 1 << 30   // of one send or recv
	maxStream = 1 << 50   // of one sendall or recvall
)

// A callDef is a call of the language.
type callDef struct {
	name  string
	usage string
	read  func(*args) error
}

// callDefs are the calls, each with how it is written. It is filled by init, since the functions look into it.
var callDefs []callDef

func init() {
	callDefs = []callDef{
		{"socket", "socket(..., SOCK_STREAM, IPPROTO_TCP)", (*args).socket},
		{"bind", "bind(3, server:80)", (*args).bind},
		{"listen", "listen(3, 128)", (*args).listen},
		{"accept", "accept(3, ..., ...)", (*args).accept},
		{"connect", "connect(3, server:80)", (*args).connect},
		{"send", "send(3, ..., 5, 0), send(3, \"GET\", 3, 0) or, of urgent data, send(3, ..., 5, MSG_OOB)", func(a *args) error { return a.send(true) }},
		{"write", "write(3, ..., 5) or write(3, \"GET\", 3)", func(a *args) error { return a.send(false) }},
		{"recv", "recv(3, ..., 100, 0) or recv(3, \"GET\", 3, 0)", func(a *args) error { return a.receive(true) }},
		{"read", "read(3, ..., 100) or read(3, \"GET\", 3)", func(a *args) error { return a.receive(false) }},
		{"sendall", "sendall(3, 1000)", (*args).sendAll},
		{"recvall", "recvall(3, 1000), or recvall(3) up to the end of data", (*args).receiveAll},
		{"shutdown", "shutdown(3, SHUT_WR)", (*args).shutdown},
		{"close", "close(3)", func(a *args) error { return a.plain(netns.OpClose) }},
		{"abort", "abort(3)", func(a *args) error { return a.plain(netns.OpAbort) }},
		{"fcntl", "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK)", (*args).fcntl},
		{"getsockopt", "getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4])", (*args).getOption},
		{"setsockopt", "setsockopt(3, SOL_SOCKET, SO_KEEPALIVE, [1], 4)", (*args).setOption},
	}
}

func callNames() string {
	names := make([]string, len(callDefs))
	for i, d := range callDefs {
		names[i] = d.name
	}
	return strings.Join(names, ", ")
}

// args reads the arguments of one call, from the left, into a step.
type args struct {
	*compiler
	host  *hostCode
	call  *Call
	rest  []Expr // arguments that are still to be read
	step  *step
	usage string
}

func (a *args) compile() error {
	i := slices.IndexFunc(callDefs, func(d callDef) bool { return d.name == a.call.Name })
	if i < 0 {
		return a.fail(a.call.Pos, "unknown call `%s`: the calls are %s", clip(a.call.Name), callNames())
	}
	a.usage = callDefs[i].usage
	if err := callDefs[i].read(a); err != nil {
		return err
	}
	if len(a.rest) > 0 {
		return a.fail(a.rest[0].Pos, "expected no argument here, found %s: it is %s", a.found(a.rest[0], a.rest[0]), a.usage)
	}
	return a.result()
}

// result reads what is expected to come back.
func (a *args) result() error {
	makes := a.step.call.Op == netns.OpSocket || a.step.call.Op == netns.OpAccept
	r := a.call.Result
	if r == nil {
		a.host.unnamed = a.host.unnamed || makes
		return nil
	}
	high := int64(maxStream)
	if makes {
		high = maxLabel
	}
	n, err := a.number(r.Value, "a result", -1, high)
	if err != nil {
		return err
	}
	w := &want{result: n, errno: netns.Errno(r.Errno)}
	switch {
	case r.Errno != "" && n != -1:
		return a.fail(r.Pos, "expected -1 before the error %s, found %d", clip(r.Errno), n)
	case r.Errno != "" && !w.errno.Known():
		return a.fail(r.Pos, "unknown error `%s`: expected a name as ECONNREFUSED, ETIMEDOUT or EINPROGRESS", clip(r.Errno))
	case makes && n >= 0:
		a.step.label = int(n)
		a.host.labels[int(n)] = true
	}
	a.step.want = w
	return nil
}

// next takes the next argument, which is said to be what.
func (a *args) next(what string) (Expr, error) {
	if len(a.rest) == 0 {
		return Expr{}, a.fail(a.call.Pos, "expected %s: it is %s", what, a.usage)
	}
	e := a.rest[0]
	a.rest = a.rest[1:]
	return e, nil
}

func (a *args) wrong(e Expr, what string) error {
	return a.fail(e.Pos, "expected %s, found %s: it is %s", what, a.found(e, a.expand(e)), a.usage)
}

func (a *args) fd() error {
	e, err := a.next("a descriptor")
	if err != nil {
		return err
	}
	n, err := a.number(e, "a descriptor", 0, maxLabel)
	if err != nil {
		return err
	}
	a.step.call.FD = int(n)
	a.host.use(int(n), e.Pos)
	return nil
}

func (a *args) int(what string, low, high int64) (int64, error) {
	e, err := a.next(what)
	if err != nil {
		return 0, err
	}
	return a.number(e, what, low, high)
}

// words takes an argument that is one of some words, and tells which; 0 stands for the first, if zero says so.
func (a *args) words(what string, zero bool, words ...string) (int, error) {
	e, err := a.next(what)
	if err != nil {
		return 0, err
	}
	v := a.expand(e)
	if i := slices.Index(words, v.Text); v.Kind == Word && i >= 0 {
		return i, nil
	}
	if zero && v.Kind == Int && v.Num == 0 {
		return 0, nil
	}
	return 0, a.wrong(e, strings.Join(words, " or "))
}

// dots takes an argument whose value the language does not tell.
func (a *args) dots() error {
	e, err := a.next("`...`")
	if err == nil && e.Kind != Ellipsis {
		return a.wrong(e, "`...`")
	}
	return err
}

// text is what the record shows of the arguments from the second on.
func (a *args) text(list []Expr) {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = formatExpr(e)
	}
	a.step.call.Text = strings.Join(parts, ", ")
}

func (a *args) plain(op netns.Op) error {
	a.step.call.Op = op
	return a.fd()
}

func (a *args) socket() error {
	a.text(a.rest)
	a.step.call.Op = netns.OpSocket
	if len(a.rest) > 0 && a.rest[0].Kind == Ellipsis {
		a.rest, a.step.anyFamily = a.rest[1:], true
	} else if i, err := a.words("a domain", false, "AF_INET", "AF_INET6", "PF_INET", "PF_INET6"); err != nil {
		return err
	} else if i%2 == 1 {
		a.step.call.Family = netns.IPv6
	}
	if _, err := a.words("SOCK_STREAM", false, "SOCK_STREAM"); err != nil {
		return err
	}
	_, err := a.words("IPPROTO_TCP", true, "IPPROTO_TCP")
	return err
}

// address takes an address; any allows "*".
func (a *args) address(any bool) error {
	e, err := a.next("an address")
	if err != nil {
		return err
	}
	what := "an address, as server:80, nobody:80 or 192.0.2.2:80"
	if any {
		what = "an address, as server:80 or *:80"
	}
	if e.Kind != Address {
		return a.wrong(e, what)
	}
	port, err := a.number(e.Elems[0], "a port", 0, 65535)
	if err != nil {
		return err
	}
	addr := address{port: uint16(port)}
	switch ip, err := netip.ParseAddr(e.Text); {
	case err == nil:
		addr.ip = ip
	case e.Text == netns.Client || e.Text == netns.Server || e.Text == "*" && any || e.Text == nobody && !any:
		addr.host = e.Text
	default:
		return a.wrong(e, what)
	}
	a.step.addr = addr
	return nil
}

// nobody is written for an address that no host has.
const nobody = "nobody"

// length takes the address's length, which packetdrill's scripts have to write and nobody needs.
func (a *args) length() error {
	if len(a.rest) == 0 {
		return nil
	}
	return a.dots()
}

func (a *args) bind() error {
	if err := a.plain(netns.OpBind); err != nil {
		return err
	}
	if err := a.address(true); err != nil {
		return err
	}
	return a.length()
}

func (a *args) connect() error {
	if err := a.plain(netns.OpConnect); err != nil {
		return err
	}
	if err := a.address(false); err != nil {
		return err
	}
	return a.length()
}

func (a *args) listen() error {
	if err := a.plain(netns.OpListen); err != nil {
		return err
	}
	n, err := a.int("a backlog", -1, 1<<31-1)
	a.step.call.N = int(n)
	return err
}

func (a *args) accept() error {
	if err := a.plain(netns.OpAccept); err != nil {
		return err
	}
	if err := a.dots(); err != nil {
		return err
	}
	return a.dots()
}

// buffer takes octets and their number: `...` are octets of the stream, a string its own.
func (a *args) buffer() (data []byte, n int, err error) {
	e, err := a.next("octets, as `...` or a string")
	if err != nil {
		return nil, 0, err
	}
	v := a.expand(e)
	high := int64(maxOctets)
	switch v.Kind {
	case Ellipsis:
	case String:
		data = []byte(v.Text)
	case Int, Word, Seconds, Address, Or, List, Struct, Field:
		return nil, 0, a.wrong(e, "octets, as `...` or a string")
	}
	count, err := a.int("how many octets", 0, high)
	return data, int(count), err
}

// sendFlags takes the flags of send: none, or MSG_OOB.
func (a *args) sendFlags() error {
	if len(a.rest) > 0 {
		if v := a.expand(a.rest[0]); v.Kind == Word && v.Text == urgentFlag {
			a.rest = a.rest[1:]
			a.step.call.Urgent = true
			a.step.call.Text = strings.TrimPrefix(a.step.call.Text+", "+urgentFlag, ", ")
			return nil
		}
	}
	return a.flags("flags 0 or " + urgentFlag)
}

// urgentFlag sends urgent data.
const urgentFlag = "MSG_OOB"

// flags takes the last argument, which has to be 0; what names it.
func (a *args) flags(what string) error {
	what += " as the last argument"
	e, err := a.next(what)
	if err == nil {
		if v := a.expand(e); v.Kind != Int || v.Num != 0 {
			return a.wrong(e, what)
		}
	}
	return err
}

func (a *args) send(flags bool) error {
	if err := a.plain(netns.OpSend); err != nil {
		return err
	}
	at := a.call.Pos
	if len(a.rest) > 1 {
		at = a.rest[1].Pos
	}
	data, n, err := a.buffer()
	if err != nil {
		return err
	}
	if data != nil && n > len(data) {
		return a.fail(at, "expected at most %d octets, which is all the string has, found %d", len(data), n)
	}
	if a.step.call.N = n; data != nil {
		a.literal(data[:n])
	}
	if !flags {
		return nil
	}
	return a.sendFlags()
}

// literal makes the call send octets of a string.
func (a *args) literal(data []byte) {
	a.step.call.Data = data
	a.step.call.Text = quote(string(data))
	a.host.literal = true
}

func (a *args) receive(flags bool) error {
	if err := a.plain(netns.OpReceive); err != nil {
		return err
	}
	var err error
	if a.step.data, a.step.call.N, err = a.buffer(); err != nil {
		return err
	}
	a.host.receives = append(a.host.receives, a.step)
	if !flags {
		return nil
	}
	return a.flags("flags 0")
}

func (a *args) sendAll() error {
	if err := a.plain(netns.OpSendAll); err != nil {
		return err
	}
	if len(a.rest) > 0 {
		if v := a.expand(a.rest[0]); v.Kind == String {
			a.rest = a.rest[1:]
			a.literal([]byte(v.Text))
			return nil
		}
	}
	n, err := a.int("how many octets", 0, maxStream)
	a.step.call.N = int(n)
	return err
}

func (a *args) receiveAll() error {
	if err := a.plain(netns.OpReceiveAll); err != nil {
		return err
	}
	a.host.receives = append(a.host.receives, a.step)
	a.step.call.N = -1
	if len(a.rest) == 0 {
		return nil
	}
	n, err := a.int("how many octets", 0, maxStream)
	a.step.call.N = int(n)
	return err
}

func (a *args) shutdown() error {
	if err := a.plain(netns.OpShutdown); err != nil {
		return err
	}
	a.text(a.rest)
	i, err := a.words("SHUT_RD, SHUT_WR or SHUT_RDWR", false, "SHUT_RD", "SHUT_WR", "SHUT_RDWR")
	a.step.call.How = []netns.How{netns.ShutRead, netns.ShutWrite, netns.ShutBoth}[i]
	return err
}

func (a *args) fcntl() error {
	if err := a.plain(netns.OpNonBlocking); err != nil {
		return err
	}
	a.text(a.rest)
	if _, err := a.words("F_SETFL", false, "F_SETFL"); err != nil {
		return err
	}
	e, err := a.next("O_RDWR or O_RDWR|O_NONBLOCK")
	if err != nil {
		return err
	}
	flags := []Expr{e}
	if e.Kind == Or {
		flags = e.Elems
	}
	for _, f := range flags {
		switch v := a.expand(f); {
		case v.Kind == Word && v.Text == "O_RDWR", v.Kind == Int && v.Num == 0:
		case v.Kind == Word && v.Text == "O_NONBLOCK":
			a.step.call.N = 1
		default:
			return a.wrong(f, "O_RDWR or O_NONBLOCK")
		}
	}
	return nil
}
