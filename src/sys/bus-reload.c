/* SPDX-License-Identifier: MIT */
/* The two questions to the service manager that are waited for. */
#include "sys/bus-internal.h"
#include "sys/paths.h"

/* A manager with thousands of units takes seconds to load them; nobody starts a unit meanwhile. */
#define ANSWER_US (20 * UINT64_C(1000000))

static void bus_endp(sd_bus **bus)
{
	sd_bus_flush_close_unref(*bus);
}

static int begin(sd_bus **ret)
{
	int r = sd_bus_new(ret);

	if (r >= 0)
		r = sd_bus_set_address(*ret, "unix:path=" PATH_SYSTEMD_PRIVATE);
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(*ret, ANSWER_US);
	return r < 0 ? r : sd_bus_start(*ret);
}

/**
 * bus_systemd_version() - what the service manager says of itself
 *
 * Return: the version; 0 where it is another one; negative errno, as -ETIMEDOUT.
 */
int bus_systemd_version(void)
{
	_cleanup_(bus_endp) sd_bus *bus = NULL;
	_cleanup_free_ char *version = NULL;
	int r = begin(&bus);

	if (r >= 0)
		r = sd_bus_get_property_string(bus, MANAGER_DEST, MANAGER_PATH, MANAGER_INTERFACE,
					       "Version", NULL, &version);
	if (r < 0)
		return r == -ENOENT || r == -ECONNREFUSED ? 0 : r;
	return (int)strtol(version, NULL, 10);
}

/**
 * bus_daemon_reload() - as `systemctl daemon-reload`: generators run, and units are loaded anew
 *
 * Return: 0 when it is done; negative errno, as -ETIMEDOUT: it may be done later then.
 */
int bus_daemon_reload(void)
{
	_cleanup_(bus_endp) sd_bus *bus = NULL;
	int r = begin(&bus);

	if (r >= 0)
		r = sd_bus_call_method(bus, MANAGER_DEST, MANAGER_PATH, MANAGER_INTERFACE, "Reload",
				       NULL, NULL, NULL);
	return r < 0 ? r : 0;
}
