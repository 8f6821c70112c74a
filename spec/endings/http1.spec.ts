import { describeEndings } from './endings';

describeEndings('HTTP/1.1');
