// SPDX-License-Identifier: MIT

// A Go program under load that checks itself: goroutines, timers, the garbage collector, the network
// poller, blocking system calls, processes.
//
// usage: load SOCKET STOP
//
// SOCKET is made and listened on. Prints a line "MILLISECONDS OPERATIONS ERRORS" ten times a second, and
// what went wrong on standard error, until the file STOP exists. Exit status 1 after errors.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	operations, failures int64
	stopping             = make(chan struct{})
	workers              sync.WaitGroup
)

func wrong(format string, values ...interface{}) {
	if atomic.AddInt64(&failures, 1) <= 20 {
		fmt.Fprintf(os.Stderr, format+"\n", values...)
	}
}

func stopped() bool {
	select {
	case <-stopping:
		return true
	default:
		return false
	}
}

// work runs one of the jobs below again and again, each with a number of its own.
func work(job func(n int)) {
	workers.Add(1)
	go func() {
		defer workers.Done()
		for n := 0; !stopped(); n++ {
			job(n)
			atomic.AddInt64(&operations, 1)
		}
	}()
}

func fill(n, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(n*31 + i*7)
	}
	return b
}

// --- the network

func serve(listener net.Listener) {
	for {
		c, err := listener.Accept()
		if err != nil {
			wrong("accept: %v", err)
			return
		}
		go func() {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}()
	}
}

func dial(socket string) net.Conn {
	c, err := net.Dial("unix", socket)
	if err != nil {
		wrong("connect: %v", err)
		os.Exit(1)
	}
	return c
}

// echo sends up to 64 kB in one write, for the socket to be full at times, and wants it back.
func echo(socket string) func(n int) {
	c := dial(socket)
	return func(n int) {
		sent := fill(n, 1+n*7919%65536)
		back := make([]byte, len(sent))
		done := make(chan error, 1)
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		go func() {
			_, err := c.Write(sent)
			done <- err
		}()
		if _, err := io.ReadFull(c, back); err != nil {
			wrong("read: %v", err)
		} else if !bytes.Equal(sent, back) {
			wrong("message %d came back changed", n)
		}
		if err := <-done; err != nil {
			wrong("write: %v", err)
		}
	}
}

// quiet reads where nothing comes: only the deadline may end it, and not early.
func quiet(socket string) func(n int) {
	c := dial(socket)
	return func(n int) {
		begin := time.Now()
		limit := time.Duration(1+n%20) * time.Millisecond
		_ = c.SetReadDeadline(begin.Add(limit))
		_, err := c.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			wrong("read without data: %v", err)
		}
		if took := time.Since(begin); took < limit {
			wrong("a deadline of %v came after %v", limit, took)
		}
	}
}

func reconnect(socket string) func(n int) {
	return func(n int) {
		c := dial(socket)
		sent := fill(n, 100)
		back := make([]byte, len(sent))
		if _, err := c.Write(sent); err != nil {
			wrong("first write: %v", err)
		} else if _, err = io.ReadFull(c, back); err != nil || !bytes.Equal(sent, back) {
			wrong("first message: %v", err)
		}
		if err := c.Close(); err != nil {
			wrong("close: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
}

// --- time

func timer(n int) {
	begin := time.Now()
	wait := time.Duration(n%5000) * time.Microsecond
	select {
	case <-time.After(wait):
	case <-time.After(20 * time.Second):
		wrong("a timer of %v did not fire", wait)
	}
	if took := time.Since(begin); took < wait {
		wrong("a timer of %v fired after %v", wait, took)
	}
}

// --- memory

type tree struct {
	left, right *tree
	value       int
	payload     []byte
}

func grow(depth, value int) *tree {
	t := &tree{value: value, payload: fill(value, 64)}
	if depth > 0 {
		t.left, t.right = grow(depth-1, 2*value), grow(depth-1, 2*value+1)
	}
	return t
}

func (t *tree) sum() int {
	if t == nil {
		return 0
	}
	for i, b := range t.payload {
		if b != byte(t.value*31+i*7) {
			wrong("memory of node %d has changed", t.value)
			break
		}
	}
	return t.value + t.left.sum() + t.right.sum()
}

// collect keeps some trees for a while, so that they move through the collector's generations of work.
func collect() func(n int) {
	const depth = 9
	last := 1<<(depth+1) - 1
	var kept [16]*tree
	return func(n int) {
		if t := kept[n%len(kept)]; t != nil && t.sum() != last*(last+1)/2 {
			wrong("the nodes of a tree do not add up")
		}
		kept[n%len(kept)] = grow(depth, 1)
		if n%64 == 0 {
			runtime.GC()
		}
	}
}

// --- system calls

// pipe blocks a thread in read(2), of which the runtime knows only that it is away.
func pipe() func(n int) {
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		wrong("pipe: %v", err)
		os.Exit(1)
	}
	return func(n int) {
		sent, back := fill(n, 512), make([]byte, 1024)
		go func() {
			time.Sleep(time.Duration(n%3000) * time.Microsecond)
			if done, err := syscall.Write(ends[1], sent); err != nil || done != len(sent) {
				wrong("pipe: written %d: %v", done, err)
			}
		}()
		done, err := syscall.Read(ends[0], back)
		if err != nil || !bytes.Equal(sent, back[:done]) {
			wrong("pipe: read %d: %v", done, err)
		}
	}
}

func spawn(n int) {
	want := fmt.Sprintf("child %d\n", n)
	out, err := exec.Command("/bin/echo", "child", fmt.Sprint(n)).Output()
	if err != nil || string(out) != want {
		wrong("child: %q: %v", out, err)
	}
	time.Sleep(20 * time.Millisecond)
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: load SOCKET STOP")
		os.Exit(2)
	}
	socket, stop := os.Args[1], os.Args[2]
	listener, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	go serve(listener)
	work(echo(socket))
	work(quiet(socket))
	work(reconnect(socket))
	work(timer)
	work(timer)
	work(collect())
	work(pipe())
	work(spawn)

	begin := time.Now()
	for ticker := time.NewTicker(100 * time.Millisecond); ; <-ticker.C {
		fmt.Println(time.Since(begin).Milliseconds(), atomic.LoadInt64(&operations),
			atomic.LoadInt64(&failures))
		if _, err := os.Stat(stop); err == nil {
			break
		}
	}
	close(stopping)
	workers.Wait()
	if atomic.LoadInt64(&failures) > 0 {
		os.Exit(1)
	}
}
