import { getIronSession } from 'iron-session';
import options from '../../session.json';

export default async function login(request, response) {
  const session = await getIronSession(request, response, options);
  session.user = 'ann';
  await session.save();
  response.status(204).end();
}
