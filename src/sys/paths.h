/* SPDX-License-Identifier: MIT */
/* Where things lie on a host; opened through a struct root only. */
#ifndef THPD_SYS_PATHS_H
#define THPD_SYS_PATHS_H

#define PATH_MM "/sys/kernel/mm"
#define PATH_THP PATH_MM "/transparent_hugepage"
#define PATH_LOCKDOWN "/sys/kernel/security/lockdown"
#define PATH_CGROUP "/sys/fs/cgroup"
#define PATH_CGROUP_HYBRID PATH_CGROUP "/unified"
#define PATH_CGROUP_SYSTEMD PATH_CGROUP "/systemd"
#define PATH_CGROUP_MEMORY PATH_CGROUP "/memory"
#define PATH_PROC "/proc"
#define PATH_SELF_FD PATH_PROC "/self/fd"
#define PATH_CMDLINE "/proc/cmdline"
#define PATH_MEMINFO "/proc/meminfo"
#define PATH_HOSTNAME "/proc/sys/kernel/hostname"
#define PATH_OSRELEASE "/proc/sys/kernel/osrelease"
#define PATH_YAMA "/proc/sys/kernel/yama/ptrace_scope"
#define PATH_SYSTEM_CREDENTIALS "/run/credentials/@system"
#define PATH_SYSTEMD_PRIVATE "/run/systemd/private"
#define PATH_DYNAMIC_USERS "/run/systemd/dynamic-uid"
#define PATH_PASSWD "/etc/passwd"
#define PATH_RUN_POLICY "/run/thpd"
#define PATH_STATE "/run/thpd"
#define PATH_JOURNAL_SOCKET "/run/systemd/journal/socket"
#define PATH_RUN_TMPFILES "/run/tmpfiles.d"
#define PATH_RUN_UDEV_RULES "/run/udev/rules.d"
#define PATH_RUN_UNITS "/run/systemd/system"
#define PATH_ETC_UNITS "/etc/systemd/system"
#define PATH_GENERATOR "/run/systemd/generator"
#define PATH_ETC_GENERATORS "/etc/systemd/system-generators"
#define PATH_RUN_GENERATORS "/run/systemd/system-generators"
#define PATH_KMSG "/dev/kmsg"

#endif
