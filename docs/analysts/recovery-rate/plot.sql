-- Share of the billed that was received, in percent, by quarter of issue.
SELECT to_char(month, 'YYYY "Q"Q'), round(100.0 * sum(received) / sum(billed), 1)::float8
FROM recovery_month GROUP BY 1 ORDER BY 1
