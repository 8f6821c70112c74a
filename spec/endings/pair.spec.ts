import { describeEndings } from './endings';

describeEndings('pair');
