-- Median of the hours from filing to a step, of steps that a team took 20 times.
SELECT step || ' · ' || team, round((percentile_cont(0.5) WITHIN GROUP (ORDER BY hours))::numeric, 1)::float8
FROM triage_step GROUP BY step, team HAVING count(*) >= 20 ORDER BY 1
