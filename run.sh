export PATH=/tmp/v/dev/bin:$PATH
taskset -c 0 ./limit 7001 & L=$!
taskset -c 0 twist romeo --port 7002 --rate 0 --guests 12000 </dev/null >/tmp/b/r.log 2>&1 & R=$!
sleep 1.5
for i in 1 2 3; do
for p in 7001 7002; do
echo "$p $(taskset -c 1 ./fan --port $p --receivers 100 --count 50000 | cut -d' ' -f7,9-)"
echo "$p $(taskset -c 1 ./fan --port $p --receivers 1000 --senders 10 --count 500 | cut -d' ' -f7,9-)"
echo "$p $(taskset -c 1 ./fan --port $p --receivers 100 --count 2000 --mode ping| cut -d' ' -f4-)"
done; done
grep VmRSS /proc/$R/status
kill $L $R
