/** The only place that looks at the environment: what is meant for development refuses to start in production. */
export function inProduction(): boolean {
  return process.env['NODE_ENV'] === 'production';
}
