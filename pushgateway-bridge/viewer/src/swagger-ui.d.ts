// The package has no types; this is what docs.ts uses of it.
declare module 'swagger-ui-dist/swagger-ui-es-bundle.js' {
  interface Settings {
    dom_id: string;
    url: string;
    validatorUrl: string | null;
    deepLinking: boolean;
    docExpansion: 'list' | 'full' | 'none';
    defaultModelsExpandDepth: number;
    displayRequestDuration: boolean;
    filter: boolean;
    tryItOutEnabled: boolean;
  }
  export default function SwaggerUI(settings: Settings): unknown;
}
