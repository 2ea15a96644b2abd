"""Events to Kafka: delivered, or an error."""

import asyncio
import json
import threading

from confluent_kafka import KafkaException, Producer

from problem import Problem


class Events:
    """An idempotent producer; a thread serves what the brokers say of deliveries."""

    def __init__(self, settings, metrics):
        self.topic = settings.topic
        self.metrics = metrics
        self.timeout = settings.delivery_timeout
        self.loop = asyncio.get_running_loop()
        self.producer = Producer({
            **settings.kafka, "bootstrap.servers": settings.brokers, "enable.idempotence": True,
            "linger.ms": 0, "delivery.timeout.ms": int(1000 * settings.delivery_timeout),
            "queue.buffering.max.messages": 100000, "queue.buffering.max.kbytes": 65536,
            "log_level": 4})
        self.open = True
        self.thread = threading.Thread(target=self._serve, name="deliveries", daemon=True)
        self.thread.start()

    def _serve(self):
        while self.open:
            self.producer.poll(0.1)

    async def send(self, events):
        """All of them are with the broker when this returns."""
        done = self.loop.create_future()
        unknown = set(range(len(events)))
        failed = []

        def said(index, error):
            unknown.discard(index)
            if error is not None:
                failed.append(index)
            if not unknown and not done.done():
                done.set_result(None)

        def tell(index):
            return lambda error, _message: self.loop.call_soon_threadsafe(said, index, error)

        for index, event in enumerate(events):
            try:
                self.producer.produce(self.topic, json.dumps(event, ensure_ascii=False).encode(),
                                      str(event["user_id"]).encode(), on_delivery=tell(index))
            except (BufferError, KafkaException) as error:
                said(index, error)
        try:
            await asyncio.wait_for(done, self.timeout + 1)
        except asyncio.TimeoutError:
            pass
        failed = sorted({*failed, *unknown})
        self.metrics.events.labels("delivered").inc(len(events) - len(failed))
        self.metrics.events.labels("failed").inc(len(failed))
        if failed:
            raise Problem(503, f"{len(failed)} of {len(events)} events did not reach the broker", retry_after=1,
                          errors=[{"at": ["body", index], "detail": "send it again"} for index in failed])

    async def stop(self):
        await self.loop.run_in_executor(None, self.producer.flush, self.timeout)
        self.open = False
        self.thread.join(1)
