export default {
  projects: ['<rootDir>/packages/*', '<rootDir>/examples/*', '<rootDir>/tooling/*'],
};
