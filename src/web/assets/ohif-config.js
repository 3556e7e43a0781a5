// OHIF's configuration for this server. The roots are those of the address that the browser used.
(function () {
  var viewer = new URL(window.PUBLIC_URL || "./", window.location.href);
  var root = new URL("../dicom-web", viewer).href;
  window.config = {
    name: "bluebridge",
    routerBasename: viewer.pathname,
    extensions: [],
    modes: [],
    customizationService: {},
    showStudyList: true,
    maxNumberOfWebWorkers: 3,
    showWarningMessageForCrossOrigin: true,
    showCPUFallbackMessage: true,
    showLoadingIndicator: true,
    strictZSpacingForVolumeViewport: true,
    groupEnabledModesFirst: true,
    maxNumRequests: { interaction: 100, thumbnail: 75, prefetch: 25 },
    defaultDataSourceName: "bluebridge",
    dataSources: [
      {
        namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
        sourceName: "bluebridge",
        configuration: {
          friendlyName: "Bluebridge",
          name: "bluebridge",
          qidoRoot: root,
          wadoRoot: root,
          wadoUriRoot: root,
          stowRoot: root,
          qidoSupportsIncludeField: true,
          supportsFuzzyMatching: true,
          supportsWildcard: true,
          supportsReject: false,
          enableStudyLazyLoad: true,
          imageRendering: "wadors",
          thumbnailRendering: "wadors",
          thumbnailRequestStrategy: "fetch",
          singlepart: "bulkdata,video,pdf",
          omitQuotationForMultipartRequest: true,
          bulkDataURI: { enabled: true },
          dicomUploadEnabled: true
        }
      }
    ]
  };
})();
