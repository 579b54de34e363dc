declare module "*.css";
declare module "@fontsource-variable/bricolage-grotesque/wght.css";
