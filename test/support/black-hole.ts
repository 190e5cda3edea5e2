/** An address that takes no connection and refuses none: what is sent there vanishes (`test/in-netns.sh`). */
export const BLACK_HOLE = `${process.env.HOLDFAST_TEST_BLACK_HOLE}`;
