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


def number(text):
    return int(text) if text.isdigit() else float(text)


def read(path):
    """The keys of the tags and of the fields, and the points."""
    with open(path) as file:
        tags, fields, *rows = [line.rstrip('\t\n').split('\t') for line in file]
    points = [(row[:len(tags)], [number(text) for text in row[len(tags):]]) for row in rows]
    return tags, fields, points


def record(tags, fields, point):
    measurement = influxdb.Measurement('bench', 'http_request')
    for key, value in zip(tags, point[0]):
        measurement.set_tag(key, value)
    for key, value in zip(fields, point[1]):
        measurement.set_field(key, value)
    influxdb.add_measurement(measurement)


async def main(path, count, core, url):
    os.sched_setaffinity(0, {core})
    # Otherwise it warns of each measurement that comes while a batch is sent.
    logging.getLogger('sprockets_influxdb').setLevel(logging.ERROR)
    tags, fields, points = read(path)
    points = itertools.islice(itertools.cycle(points), count)
    # Batches of more than the trigger size: it sends one at a time, and looks every 100 ms whether
    # it has been sent.
    influxdb.install(
        url=f'{url}/write', max_buffer_size=10 * count, trigger_size=BATCH if url else 10 * count)
    start, cpu = time.monotonic_ns(), time.process_time_ns()
    for number, point in enumerate(points):
        record(tags, fields, point)
        # So that it sends meanwhile, as between a program's requests.
        if url and number % 100 == 0:
            await asyncio.sleep(0)
    if url:
        await influxdb.shutdown()
    cpu = time.process_time_ns() - cpu
    print(f'cpu={cpu}\nstart={start}', flush=True)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
