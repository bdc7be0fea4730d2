/* SPDX-License-Identifier: MIT */

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A JVM under load that checks itself: threads, the garbage collector, locks, timed waits, sockets,
 * processes.
 *
 * usage: java Load.java STOP
 *
 * Prints a line "MILLISECONDS OPERATIONS ERRORS" ten times a second, and what went wrong on standard
 * error, until the file STOP exists. Exit status 1 after errors.
 */
public class Load {
	interface Job {
		void run(int n) throws Exception;
	}

	static final AtomicLong operations = new AtomicLong(), errors = new AtomicLong();
	static final List<Thread> workers = new ArrayList<>();
	static volatile boolean stopping;

	static void wrong(String what) {
		if (errors.incrementAndGet() <= 20)
			System.err.println(what);
	}

	/** Runs a job again and again, each time with a number of its own. */
	static void work(String name, Job job) {
		Thread t = new Thread(() -> {
			for (int n = 0; !stopping; n++) {
				try {
					job.run(n);
				} catch (Throwable e) {
					wrong(name + ": " + e);
				}
				operations.incrementAndGet();
			}
		}, name);
		t.setDaemon(true);
		workers.add(t);
	}

	static byte[] fill(int n, int size) {
		byte[] b = new byte[size];
		for (int i = 0; i < size; i++)
			b[i] = (byte)(n * 31 + i * 7);
		return b;
	}

	static void notEarly(String what, long begin, long nanos) {
		long took = System.nanoTime() - begin;
		if (took < nanos)
			wrong(what + " of " + nanos + " ns ended after " + took);
	}

	/** Objects that live for a while, then are verified and dropped. */
	static Job garbage() {
		byte[][] kept = new byte[4096][];
		int[] number = new int[kept.length];
		return n -> {
			int at = (int)(n * 2654435761L % kept.length);
			if (kept[at] != null && !Arrays.equals(kept[at], fill(number[at], kept[at].length)))
				wrong("object " + number[at] + " has changed");
			number[at] = n;
			kept[at] = fill(n, 100 + n % 8000);
			if (n % 20000 == 0)
				System.gc();
		};
	}

	static void serve(ServerSocket listener) {
		for (;;) {
			try {
				Socket s = listener.accept();
				Thread t = new Thread(() -> {
					try (s) {
						s.getInputStream().transferTo(s.getOutputStream());
					} catch (IOException e) {
						wrong("server: " + e);
					}
				}, "server");
				t.setDaemon(true);
				t.start();
			} catch (IOException e) {
				wrong("accept: " + e);
			}
		}
	}

	static Socket connect(ServerSocket to) throws IOException {
		Socket s = new Socket(to.getInetAddress(), to.getLocalPort());
		s.setTcpNoDelay(true);
		return s;
	}

	static Job echo(ServerSocket to) throws IOException {
		Socket s = connect(to);
		s.setSoTimeout(20000);
		DataInputStream in = new DataInputStream(s.getInputStream());
		DataOutputStream out = new DataOutputStream(s.getOutputStream());
		return n -> {
			byte[] sent = fill(n, 1 + n % 1000 * 16), back = new byte[sent.length];
			out.write(sent);
			in.readFully(back);
			if (!Arrays.equals(sent, back))
				wrong("message " + n + " came back changed");
		};
	}

	/** Reads where nothing comes: only the time limit may end it, and not early. */
	static Job quiet(ServerSocket to) throws IOException {
		Socket s = connect(to);
		return n -> {
			int limit = 1 + n % 20;
			long begin = System.nanoTime();
			s.setSoTimeout(limit);
			try {
				wrong("read without data: " + s.getInputStream().read());
			} catch (SocketTimeoutException e) {
				/* The JVM takes whole milliseconds of a clock that may be coarser. */
				notEarly("a time limit", begin, (limit - 1) * 1000000L);
			}
		};
	}

	static void sleep(int n) throws InterruptedException {
		long begin = System.nanoTime(), ms = n % 5;
		Thread.sleep(ms);
		notEarly("a sleep", begin, ms * 1000000);
	}

	/** A queue that nobody fills. */
	static Job timedWait() {
		LinkedBlockingQueue<Integer> empty = new LinkedBlockingQueue<>();
		return n -> {
			long begin = System.nanoTime(), us = n % 3000;
			if (empty.poll(us, TimeUnit.MICROSECONDS) != null)
				wrong("an empty queue had something");
			notEarly("a timed wait", begin, us * 1000);
		};
	}

	/** Two threads that hand numbers to each other. */
	static void pair() {
		SynchronousQueue<Integer> queue = new SynchronousQueue<>();
		work("giver", n -> {
			for (int i = 0; !queue.offer(n, 100, TimeUnit.MILLISECONDS) && !stopping; i++)
				if (i == 200)
					wrong("nobody takes " + n);
		});
		work("taker", n -> {
			Integer got = null;
			for (int i = 0; got == null && !stopping; i++) {
				got = queue.poll(100, TimeUnit.MILLISECONDS);
				if (i == 200)
					wrong("nobody gives " + n);
			}
			if (got != null && got != n)
				wrong("took " + got + " instead of " + n);
		});
	}

	static void process(int n) throws Exception {
		Process p = new ProcessBuilder("/bin/echo", "child " + n).start();
		String out = new String(p.getInputStream().readAllBytes());
		if (p.waitFor() != 0 || !out.equals("child " + n + "\n"))
			wrong("child: " + p.exitValue() + ": " + out);
		Thread.sleep(50);
	}

	/** Ticks that come at a fixed rate: all of them, whatever stops us. */
	static AtomicLong ticks() {
		AtomicLong n = new AtomicLong();
		ScheduledExecutorService e = Executors.newScheduledThreadPool(1, r -> {
			Thread t = new Thread(r, "ticks");
			t.setDaemon(true);
			return t;
		});
		e.scheduleAtFixedRate(n::incrementAndGet, 10, 10, TimeUnit.MILLISECONDS);
		return n;
	}

	public static void main(String[] args) throws Exception {
		ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
		Thread server = new Thread(() -> serve(listener), "listener");
		server.setDaemon(true);
		server.start();

		work("garbage", garbage());
		work("echo", echo(listener));
		work("quiet", quiet(listener));
		work("sleep", Load::sleep);
		work("wait", timedWait());
		work("process", Load::process);
		pair();
		workers.forEach(Thread::start);
		long begin = System.nanoTime(), ms = 0;
		AtomicLong ticks = ticks();

		for (File stop = new File(args[0]); !stop.exists(); Thread.sleep(100)) {
			ms = (System.nanoTime() - begin) / 1000000;
			System.out.println(ms + " " + operations + " " + errors);
		}
		if (ticks.get() < ms / 10 - 100)
			wrong("only " + ticks + " ticks in " + ms + " ms");
		stopping = true;
		for (Thread t : workers) {
			t.join(30000);
			if (t.isAlive())
				wrong(t.getName() + " does not end");
		}
		System.exit(errors.get() > 0 ? 1 : 0);
	}
}
