/* SPDX-License-Identifier: MIT */
/*
 * A job of analytics in a JVM: counts by group, in a table of 1 GiB. Usage: Groups SECONDS
 *
 * Prints cpu_ns and wall_ns, the medians of what a row took in runs of 100,000, fast_ns, the tenth
 * part of the former below which it was fastest, the rows, and in huge_kb how much of the process's
 * memory was in huge pages.
 */
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

public final class Groups {
	private static final int RUN = 100000;

	private static String hugeKb() throws java.io.IOException {
		for (String line : Files.readAllLines(Path.of("/proc/self/smaps_rollup")))
			if (line.startsWith("AnonHugePages:"))
				return line.replaceAll("[^0-9]", "");
		return "-1";
	}

	public static void main(String[] args) throws java.io.IOException {
		ThreadMXBean threads = ManagementFactory.getThreadMXBean();
		long[] table = new long[1 << 27];
		double[] cpu = new double[100000], wall = new double[100000];
		long limit = System.nanoTime() + (long)(Double.parseDouble(args[0]) * 1e9), x = 1, rows = 0;
		int n = 0;

		while (n < cpu.length && (n == 0 || System.nanoTime() < limit)) {
			long c = threads.getCurrentThreadCpuTime(), w = System.nanoTime();

			for (int i = 0; i < RUN; i++) {
				/* A row: its group follows from the count before, so rows wait for each other. */
				x = x * 0xd1342543de82ef95L + 0x14057b7ef767814fL;
				long group = x ^ table[(int)(x >>> 37)]++;
				x += group >>> 63;
			}
			rows += RUN;
			cpu[n] = (double)(threads.getCurrentThreadCpuTime() - c) / RUN;
			wall[n++] = (double)(System.nanoTime() - w) / RUN;
		}
		long sum = 0;
		for (long count : table)
			sum += count;
		if (sum != rows)
			throw new AssertionError("counted " + sum + " of " + rows);
		Arrays.sort(cpu, 0, n);
		Arrays.sort(wall, 0, n);
		System.out.printf("cpu_ns=%.2f fast_ns=%.2f wall_ns=%.2f rows=%d huge_kb=%s%n", cpu[n / 2],
				  cpu[n / 10], wall[n / 2], rows, hugeKb());
	}
}
