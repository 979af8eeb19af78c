"""Delivers points with sprockets-influxdb, as a Tornado program does: see src/ancestor.rs.

Arguments: a file of points, how many are recorded, the core, the server's URL or nothing.
Says `start` and `cpu` in nanoseconds.
"""
import asyncio
import itertools
import logging
import os
import sys
import time

import sprockets_influxdb as influxdb

BATCH = 5000


def read(path):
    with open(path) as file:
        rows = [line.rstrip('\n').split('\t') for line in file]
    return [(*tags, float(duration), int(size)) for *tags, duration, size in rows]


def record(point):
    host, region, service, endpoint, method, status, duration, size = point
    measurement = influxdb.Measurement('bench', 'http_request')
    measurement.set_tag('host', host)
    measurement.set_tag('region', region)
    measurement.set_tag('service', service)
    measurement.set_tag('endpoint', endpoint)
    measurement.set_tag('method', method)
    measurement.set_tag('status', status)
    measurement.set_field('duration', duration)
    measurement.set_field('bytes', size)
    influxdb.add_measurement(measurement)


async def main(path, count, core, url):
    os.sched_setaffinity(0, {core})
    # Otherwise it warns of each measurement that comes while a batch is sent.
    logging.getLogger('sprockets_influxdb').setLevel(logging.ERROR)
    points = itertools.islice(itertools.cycle(read(path)), count)
    # Batches of more than the trigger size: it sends one at a time, and looks every 100 ms whether
    # it has been sent.
    influxdb.install(
        url=f'{url}/write', max_buffer_size=10 * count, trigger_size=BATCH if url else 10 * count)
    start, cpu = time.monotonic_ns(), time.process_time_ns()
    for number, point in enumerate(points):
        record(point)
        # So that it sends meanwhile, as between a program's requests.
        if url and number % 100 == 0:
            await asyncio.sleep(0)
    if url:
        await influxdb.shutdown()
    cpu = time.process_time_ns() - cpu
    print(f'cpu={cpu}\nstart={start}', flush=True)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
