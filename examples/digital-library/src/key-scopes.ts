/** What a key for programs may be given, in words. It narrows what its owner may, and gives nobody more. */
export const keyScopes = {
  'loan:read:own': 'See your loans',
  'loan:create': 'Borrow books',
  'loan:return:own': 'Return books',
  'audit:read:own': 'See what you did in the log',
  'book:create': 'Add books',
  'book:update': 'Change books',
  'loan:read:any': 'See all loans',
  'loan:return:any': 'Return books for others',
} as const;

export type KeyScope = keyof typeof keyScopes;
export const allKeyScopes = Object.keys(keyScopes) as readonly KeyScope[];
/** Of no use to patrons: the page does not offer them. */
export const staffKeyScopes: readonly KeyScope[] = [
  'book:create',
  'book:update',
  'loan:read:any',
  'loan:return:any',
];
