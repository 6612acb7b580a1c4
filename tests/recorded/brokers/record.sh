#!/bin/sh
# Record again what the services in this folder send: `sh record.sh rabbitmq|sqs|kafka`. README.md says what it needs.
set -eu
cd "$(dirname "$0")"
broker=$1
rm -f "$broker.jsonl" "$broker.jsonl.gz" "$broker.truth.jsonl"
python services.py "$broker" queues
case $broker in
rabbitmq) python services.py rabbitmq billing & python services.py rabbitmq stock & node services.js rabbitmq mail & ;;
sqs) python services.py sqs stock & ;;
kafka) python services.py kafka stock & node services.js kafka packing & ;;
esac
sleep 2
python services.py "$broker" shop
wait
gzip -9nf "$broker.jsonl"
