package script

import (
	"slices"
	"strings"

	"connectlab/netns"
)

// sockopts are the options of sockets under the names that they have in C.
var sockopts = []struct {
	levels string
	name   string
	option netns.Option
}{
	{"SOL_SOCKET", "SO_REUSEADDR", netns.ReuseAddress},
	{"SOL_SOCKET", "SO_SNDBUF", netns.SendBuffer},
	{"SOL_SOCKET", "SO_RCVBUF", netns.ReceiveBuffer},
	{"SOL_SOCKET", "SO_KEEPALIVE", netns.KeepAlive},
	{"SOL_SOCKET", "SO_LINGER", netns.Linger},
	{"SOL_SOCKET", "SO_OOBINLINE", netns.OOBInline},
	{"IPPROTO_TCP SOL_TCP", "TCP_NODELAY", netns.NoDelay},
	{"IPPROTO_TCP SOL_TCP", "TCP_MAXSEG", netns.MaxSegment},
	{"IPPROTO_TCP SOL_TCP", "TCP_KEEPIDLE", netns.KeepIdle},
	{"IPPROTO_TCP SOL_TCP", "TCP_KEEPINTVL", netns.KeepInterval},
	{"IPPROTO_TCP SOL_TCP", "TCP_KEEPCNT", netns.KeepCount},
	{"IPPROTO_TCP SOL_TCP", "TCP_USER_TIMEOUT", netns.UserTimeout},
	{"IPPROTO_IP SOL_IP", "IP_TTL", netns.TTL},
	{"IPPROTO_IP SOL_IP", "IP_TOS", netns.TOS},
	{"IPPROTO_IPV6 SOL_IPV6", "IPV6_UNICAST_HOPS", netns.TTL},
	{"IPPROTO_IPV6 SOL_IPV6", "IPV6_TCLASS", netns.TOS},
	{"IPPROTO_IPV6 SOL_IPV6", "IPV6_V6ONLY", netns.V6Only},
}

// option takes a level and an option's name. SO_ERROR, which can only be read, makes pending true.
func (a *args) option() (option netns.Option, pending bool, err error) {
	level, err := a.next("a level, as SOL_SOCKET")
	if err != nil {
		return 0, false, err
	}
	name, err := a.next("an option, as SO_KEEPALIVE")
	if err != nil {
		return 0, false, err
	}
	a.text([]Expr{level, name})
	l, n := a.expand(level), a.expand(name)
	if l.Kind == Word && n.Kind == Word && l.Text == "SOL_SOCKET" && n.Text == "SO_ERROR" {
		return 0, true, nil
	}
	known, names := false, []string{}
	for _, o := range sockopts {
		if l.Kind != Word || !slices.Contains(strings.Fields(o.levels), l.Text) {
			continue
		}
		known = true
		names = append(names, o.name)
		if n.Kind == Word && n.Text == o.name {
			return o.option, false, nil
		}
	}
	if !known {
		return 0, false, a.wrong(level, "SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP or IPPROTO_IPV6")
	}
	return 0, false, a.wrong(name, "one of "+strings.Join(names, ", "))
}

// one takes a list of one value, as [1].
func (a *args) one(what string) (Expr, error) {
	e, err := a.next(what)
	if err == nil && (e.Kind != List || len(e.Elems) != 1) {
		err = a.wrong(e, what)
	}
	if err != nil {
		return e, err
	}
	return e.Elems[0], nil
}

func (a *args) setOption() error {
	if err := a.plain(netns.OpSetOption); err != nil {
		return err
	}
	option, pending, err := a.option()
	if err != nil {
		return err
	}
	if pending {
		return a.fail(a.call.Pos, "expected an option that can be set: SO_ERROR can only be read")
	}
	a.step.call.Option = option
	shown := a.rest[:min(1, len(a.rest))]
	if option == netns.Linger {
		if err := a.linger(); err != nil {
			return err
		}
	} else {
		e, err := a.one("a value, as [1]")
		if err != nil {
			return err
		}
		n, err := a.number(e, "a value", -1<<31, 1<<31-1)
		if err != nil {
			return err
		}
		a.step.call.N = int(n)
	}
	a.step.call.Text += ", " + formatExpr(shown[0])
	_, err = a.int("the size of the value", 0, 1<<10)
	return err
}

// linger takes {onoff=1, linger=0}.
func (a *args) linger() error {
	const what = "{onoff=1, linger=0}"
	e, err := a.next(what)
	if err != nil {
		return err
	}
	if e.Kind != Struct || len(e.Elems) != 2 || e.Elems[0].Kind != Field || e.Elems[1].Kind != Field ||
		e.Elems[0].Text != "onoff" || e.Elems[1].Text != "linger" {
		return a.wrong(e, what)
	}
	on, err := a.number(e.Elems[0].Elems[0], "onoff", 0, 1)
	if err != nil {
		return err
	}
	seconds, err := a.number(e.Elems[1].Elems[0], "seconds", 0, 1<<16-1)
	if a.step.call.N = int(seconds); on == 0 {
		a.step.call.N = -1
	}
	return err
}

func (a *args) getOption() error {
	if err := a.plain(netns.OpGetOption); err != nil {
		return err
	}
	option, pending, err := a.option()
	if err != nil {
		return err
	}
	a.step.call.Option = option
	if pending {
		a.step.call.Op = netns.OpGetError
	}
	switch {
	case len(a.rest) > 0 && a.rest[0].Kind == Ellipsis:
		a.rest = a.rest[1:]
	case pending:
		err = a.pendingError()
	default:
		var e Expr
		if e, err = a.one("the value that is expected, as [1], or `...`"); err == nil {
			var n int64
			n, err = a.number(e, "a value", -1<<31, 1<<31-1)
			a.step.num = &n
		}
	}
	if err != nil {
		return err
	}
	if len(a.rest) > 0 && a.rest[0].Kind == Ellipsis {
		a.rest = a.rest[1:]
		return nil
	}
	e, err := a.one("the size of the value, as [4]")
	if err != nil {
		return err
	}
	_, err = a.number(e, "the size of the value", 0, 1<<10)
	return err
}

// pendingError takes the error that is expected to be pending: [0] for none, or [ECONNREFUSED].
func (a *args) pendingError() error {
	const what = "the error that is expected, as [0] or [ECONNREFUSED], or `...`"
	e, err := a.one(what)
	if err != nil {
		return err
	}
	v := a.expand(e)
	errno := netns.Errno("")
	switch {
	case v.Kind == Int && v.Num == 0:
	case v.Kind == Word && netns.Errno(v.Text).Known():
		errno = netns.Errno(v.Text)
	default:
		return a.wrong(e, what)
	}
	a.step.value = &errno
	return nil
}
